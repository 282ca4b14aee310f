import { expect, it } from 'vitest';
import { ownCommand } from '../../../src/helper/caller/own-command.ts';

const inPackage = '/opt/x/lib/node_modules/hpc-submit-dockerjob/bin/hpc-dockerjob-helper';
const linked = '/opt/x/bin/hpc-dockerjob-helper';

it.each([
  ['the command that npm linked, which the sudo rule names', inPackage, [linked], linked],
  ['the file in the package where npm linked none', inPackage, [], inPackage],
  ['the file of a source tree', '/src/y/bin/hpc-dockerjob-helper', [linked], '/src/y/bin/hpc-dockerjob-helper'],
  ['the plain name when nothing is known', undefined, [linked], 'hpc-dockerjob-helper'],
])('names %s', (_, installed, existing, command) => {
  expect(ownCommand(installed, (path) => existing.includes(String(path)))).toBe(command);
});
