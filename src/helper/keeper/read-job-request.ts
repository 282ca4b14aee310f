import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { parseJobRequest } from '../../policy/parse-job-request.ts';
import { JobError } from '../../values/errors.ts';
import { parseJson } from '../../values/parse-json-as.ts';

/** The request that a user's process wrote; fails with `REQUEST_INVALID`, and as `parseJobRequest` does. */
export function readJobRequest(text: string, site: Pick<SiteConfig, 'lsf'>): JobRequest {
  const value = parseJson(text);
  if (value === undefined) throw new JobError({ code: 'REQUEST_INVALID', message: 'The request is not JSON.' });
  return parseJobRequest(value, site);
}
