import { JobError } from '../../values/errors.ts';

/** The middleware is gone without a word. */
export class CallerDied extends JobError {
  constructor() {
    super({
      code: 'TERMINATED',
      message: 'hpc-submit-dockerjob on the first host has died.',
      hint: 'The job was cleaned up.',
    });
  }
}
