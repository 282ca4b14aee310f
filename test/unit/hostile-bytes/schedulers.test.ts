import { afterAll } from 'vitest';
import { describeParsers } from '../../support/hostile-bytes.ts';
import { removeFiles, schedulerParsers } from './scheduler-parsers.ts';

afterAll(removeFiles);
describeParsers('what a scheduler says, and what a job’s environment says of it', schedulerParsers);
