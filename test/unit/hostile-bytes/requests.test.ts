import { describeParsers } from '../../support/hostile-bytes.ts';
import { requestParsers } from './request-parsers.ts';

describeParsers('what a user asks for, and the site’s own file', requestParsers);
