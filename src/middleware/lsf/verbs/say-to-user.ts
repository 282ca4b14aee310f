/** One line on standard error: LSF shows it to the user, or in the job's output. */
export function sayToUser(line: string): void {
  process.stderr.write(`hpc-submit-dockerjob: ${line}\n`);
}
