import { describe, expect, it } from 'vitest';
import {
  containsAddress,
  gatewayAddress,
  hostAddress,
  hostCapacity,
  macOf,
  overlapsCidr,
  parseCidr,
  subnetAt,
  subnetCount,
  subnetIndex,
} from '../../../src/values/subnet.ts';

describe('a pool of subnets', () => {
  it.each([
    ['10.128.0.0/12', 24, 4096],
    ['10.128.0.0/24', 24, 1],
    ['10.128.0.0/24', 23, 0],
    ['0.0.0.0/0', 32, 2 ** 32],
  ])('%s holds subnets of length %i: %i', (pool, prefixLength, count) => {
    expect(subnetCount(pool, prefixLength)).toBe(count);
  });

  it('gives the first and the last subnet', () => {
    expect(subnetAt('10.128.0.0/12', 24, 0)).toBe('10.128.0.0/24');
    expect(subnetAt('10.128.0.0/12', 24, 4095)).toBe('10.143.255.0/24');
    expect(subnetAt('192.0.0.0/2', 8, 63)).toBe('255.0.0.0/8');
  });

  it.each([-1, 4096, 0.5, NaN])('refuses subnet number %d', (n) => {
    expect(() => subnetAt('10.128.0.0/12', 24, n)).toThrow(RangeError);
  });

  it('finds the number of each subnet again', () => {
    for (let n = 0; n < 4096; n += 7) expect(subnetIndex('10.128.0.0/12', subnetAt('10.128.0.0/12', 24, n))).toBe(n);
    expect(subnetIndex('10.128.0.0/12', '10.144.0.0/24')).toBeUndefined();
    expect(subnetIndex('10.128.0.0/12', '10.0.0.0/8')).toBeUndefined();
  });
});

describe('the addresses of a subnet', () => {
  it('give node 0 the first usable one and leave the last for the gateway', () => {
    expect(hostAddress('10.128.4.0/24', 0)).toBe('10.128.4.1');
    expect(hostAddress('10.128.4.0/24', 252)).toBe('10.128.4.253');
    expect(gatewayAddress('10.128.4.0/24')).toBe('10.128.4.254');
    expect(hostAddress('10.128.0.0/20', 300)).toBe('10.128.1.45');
    expect(hostCapacity(24)).toBe(253);
    expect(hostCapacity(32)).toBe(0);
  });

  it.each([253, -1, 1.5])('do not reach node %d', (index) => {
    expect(() => hostAddress('10.128.4.0/24', index)).toThrow(RangeError);
  });

  it('give each address a MAC address of its own that is local and unicast', () => {
    expect(macOf('10.128.4.1')).toBe('02:68:0a:80:04:01');
    expect(macOf('0.0.0.1')).toBe('02:68:00:00:00:01');
    expect(macOf('255.255.255.255')).toBe('02:68:ff:ff:ff:ff');
  });

  it('lie in it or not', () => {
    expect(containsAddress('10.128.0.0/12', '10.143.255.255')).toBe(true);
    expect(containsAddress('10.128.0.0/12', '10.144.0.0')).toBe(false);
    expect(containsAddress('0.0.0.0/0', '255.255.255.255')).toBe(true);
  });
});

describe('parseCidr', () => {
  it.each([
    '10.128',
    '10.128.0.0',
    '10.128.0.1/12',
    '10.128.0.0/33',
    '010.0.0.0/8',
    '10.0.0.0/08',
    '256.0.0.0/8',
    '::/0',
    '',
    ' 10.0.0.0/8',
    '10.0.0.0/8\n',
  ])('refuses "%s"', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it('tells overlapping networks', () => {
    expect(overlapsCidr('10.0.0.0/8', '10.128.0.0/12')).toBe(true);
    expect(overlapsCidr('10.128.0.0/12', '10.0.0.0/8')).toBe(true);
    expect(overlapsCidr('10.0.0.0/9', '10.128.0.0/12')).toBe(false);
  });
});
