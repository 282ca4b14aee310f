import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

interface Failure {
  readonly message: string;
  readonly diff?: string | undefined;
}

/**
 * Says at once why a test or a hook has failed: a run of half an hour may be ended before its summary. What passed at
 * its second try is told as well, at once and at the end of the run: it hides a fault of the test or of the product.
 */
export class TellFailures implements Reporter {
  readonly #unsteady: string[] = [];

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === 'failed') tell('failed', test.fullName, errors);
    if (test.diagnostic()?.flaky !== true) return;
    this.#unsteady.push(test.fullName);
    tell('failed once', test.fullName, errors ?? []);
  }

  onTestSuiteResult(suite: TestSuite): void {
    tell('failed', suite.fullName, suite.errors());
  }

  onTestModuleEnd(module: TestModule): void {
    tell('failed', module.moduleId, module.errors());
  }

  onTestRunEnd(): void {
    for (const name of this.#unsteady) process.stdout.write(`passed at its second try: ${name}\n`);
  }
}

function tell(what: string, name: string, errors: readonly Failure[]): void {
  for (const { message, diff } of errors)
    process.stdout.write(`${what}: ${name}\n${[message, diff ?? ''].join('\n').slice(0, 6000)}\n`);
}
