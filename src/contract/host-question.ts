import * as z from 'zod';
import { schedulerNames } from './schedulers.ts';

/** What the helper's `check-host` is asked, as one JSON object on its standard input. */
export const hostQuestionSchema = z.strictObject({
  /**
   * `nothing` only shows that the helper can be called. `quick` is what a job needs at once. `full` is for root: it takes
   * longer, and says more than users need to know. `image` looks for the image alone.
   */
  scope: z.enum(['nothing', 'image', 'quick', 'full']),
  /** Whether this host can serve a job that wants this. */
  application: z.string().max(256).optional(),
  image: z.string().max(512).optional(),
  /** Hosts of the job: more than one meet in the store. */
  hostCount: z.int().min(1).max(65_536).optional(),
  /** Asked about instead of those that are found. */
  scheduler: z.enum(schedulerNames).optional(),
});
export type HostQuestion = z.infer<typeof hostQuestionSchema>;
