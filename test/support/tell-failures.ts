import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/** Says at once why a test or a hook has failed: a run of half an hour may be ended before its summary. */
export class TellFailures implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state === 'failed') tell(test.fullName, result.errors);
  }

  onTestSuiteResult(suite: TestSuite): void {
    tell(suite.fullName, suite.errors());
  }

  onTestModuleEnd(module: TestModule): void {
    tell(module.moduleId, module.errors());
  }
}

function tell(name: string, errors: readonly { readonly message: string; readonly diff?: string | undefined }[]): void {
  for (const { message, diff } of errors)
    process.stdout.write(`failed: ${name}\n${[message, diff ?? ''].join('\n').slice(0, 6000)}\n`);
}
