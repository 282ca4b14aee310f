import { describe, expect, it } from 'vitest';
import { findConfigurationFaults } from '../../../src/helper/node/judge-image.ts';
import { listVolumes } from '../../../src/policy/list-volumes.ts';

const usual = {
  volumes: ['/data'],
  environment: ['PATH=/bin', 'EMPTY=', 'NAME'],
  architecture: 'amd64',
  os: 'linux',
  exposedPorts: 1,
  configurationLength: 900,
};

describe('the configuration of an image', () => {
  it.each([
    ['as most are', usual],
    ['of a kin of this processor', { ...usual, architecture: '386' }],
    ['that does not say for what processor it is', { ...usual, architecture: '', os: '' }],
    ['with as many volumes as are possible', { ...usual, volumes: Array.from({ length: 32 }, (_, at) => `/v${at}`) }],
    ['with a blank in a volume', { ...usual, volumes: ['/my data/'] }],
  ])('is fine %s', (_, image) => {
    expect(findConfigurationFaults(image, 'x64')).toEqual([]);
  });

  it.each([
    ['400 volumes', { volumes: Array.from({ length: 400 }, (_, at) => `/v${at}`) }, 'it declares 400 volumes'],
    ['a relative volume', { volumes: ['data'] }, 'its volume "data" is no usable path'],
    ['its root as a volume', { volumes: ['/x/..'] }, 'its volume "/x/.." is no usable path'],
    ['a volume with a line break', { volumes: ['/a\nb'] }, 'its volume "/a\\nb" is no usable path'],
    ['a variable without a name', { environment: ['=odd'] }, 'an entry without a name: "=odd"'],
    ['an empty variable', { environment: [''] }, 'an entry without a name: ""'],
    ['a NUL in a variable', { environment: ['A=b\0c'] }, 'a NUL byte in "A"'],
    [
      'a variable that no program can be given',
      { environment: [`A=${'é'.repeat(65_535)}`] },
      'too long a value of "A"',
    ],
    ['too many variables', { environment: Array.from({ length: 1100 }, () => `A=${'x'.repeat(1000)}`) }, 'has 1103300'],
    ['too many ports', { exposedPorts: 60_000 }, 'it declares 60000 ports to be exposed, 4096 are possible'],
    ['labels without end', { configurationLength: 3e6 }, 'it declares 3000000 characters of configuration'],
    ['another processor', { architecture: 'arm64' }, 'it is made for "arm64" processors, this host has amd64'],
    ['another system', { os: 'windows' }, 'it is made for "windows", not for Linux'],
  ])('is refused with %s', (_, changes, fault) => {
    expect(findConfigurationFaults({ ...usual, ...changes }, 'x64').join('; ')).toContain(fault);
  });
});

it('lists volumes as the engine understands them', () => {
  expect(listVolumes({ volumes: ['/data', '/data/', '//data', '/x/../data', '/a//b/./c/'] })).toEqual([
    '/data',
    '/a/b/c',
  ]);
});
