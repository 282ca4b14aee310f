/** What the verbs `explain`, `policy test` and `cli-filter` do: a bundle of its own, which the start of a job does not read. */
import '../../system/configure-zod.ts';

export { explainRequest } from './explain-request.ts';
export { findImageHere } from './find-image-here.ts';
export { explanationJson, renderExplanation } from './show-explanation.ts';
export { renderTest, testJson } from './show-test.ts';
export { testPolicy } from './test-policy.ts';
export { judgeSubmission } from '../slurm/judge-submission.ts';
