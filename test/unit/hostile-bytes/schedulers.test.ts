import { describeParsers } from '../../support/hostile-bytes.ts';
import { schedulerParsers } from './scheduler-parsers.ts';

describeParsers('what a scheduler says, and what a job’s environment says of it', schedulerParsers);
