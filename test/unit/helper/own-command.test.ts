import { expect, it } from 'vitest';
import { ownCommand } from '../../../src/helper/own-command.ts';

const installed = '/opt/x/bin/hpc-dockerjob-helper';

it.each([
  ['the path in the sudo rule', { SUDO_COMMAND: `${installed} open-job`, HPCDJ_HELPER: '/opt/x/lib/y' }, installed],
  ['its own path, called by root', { SUDO_COMMAND: '/bin/bash', HPCDJ_HELPER: installed }, installed],
  ['its own path without sudo', { HPCDJ_HELPER: installed }, installed],
])('names %s', (_, environment, command) => {
  expect(ownCommand(environment)).toBe(command);
});
