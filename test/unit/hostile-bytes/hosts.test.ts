import { describeParsers } from '../../support/hostile-bytes.ts';
import { hostParsers } from './host-parsers.ts';

describeParsers('what comes out of the store, an image, a container or the kernel', hostParsers);
