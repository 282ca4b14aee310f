import { describe, expect, it } from 'vitest';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { bridgeNames, deviceOption, isBridgeDevice, isOwnNetwork } from '../../../src/network/bridge/own-network.ts';

describe('a network', () => {
  const { network: name, device } = bridgeNames(requireJobKey('772'));
  const labels = { 'hpcdj.job': '772', 'hpcdj.subnet': '10.128.4.0/24' };
  const ownNetwork = { name, options: { [deviceOption]: device }, labels, driver: 'bridge', isInternal: true };

  it('has a device that is known by its name', () => {
    expect(isBridgeDevice(device)).toBe(true);
    expect(isBridgeDevice('docker0')).toBe(false);
  });

  it('is ours by its name and its device', () => {
    expect(isOwnNetwork(ownNetwork)).toBe(true);
  });

  it.each([
    ['another name', { name: 'mine' }],
    ['no device', { options: {} }],
    ['another device', { options: { [deviceOption]: 'br-mine' } }],
    ['the label of another job', { labels: { 'hpcdj.job': '773' } }],
    ['no label', { labels: {} }],
    ['another driver', { driver: 'macvlan' }],
    ['a way out', { isInternal: false }],
  ])('is none of ours with %s', (_, changes) => {
    expect(isOwnNetwork({ ...ownNetwork, ...changes })).toBe(false);
  });
});
