import { describe, expect, it } from 'vitest';
import { isolateAgent } from '../../../src/policy/describe-container.ts';

describe('variables of an image', () => {
  it('ask the engine’s runtime for no device: neither by name, nor by looking like an image that is made for them', () => {
    const asks = ['NVIDIA_VISIBLE_DEVICES=all', 'NVIDIA_DRIVER_CAPABILITIES=all', 'AMD_VISIBLE_DEVICES=0', 'A=b'];
    expect(isolateAgent(asks)).toEqual({
      containerEnvironment: {
        NVIDIA_VISIBLE_DEVICES: 'void',
        NVIDIA_DRIVER_CAPABILITIES: '',
        AMD_VISIBLE_DEVICES: '',
      },
      restored: { NVIDIA_VISIBLE_DEVICES: 'all', NVIDIA_DRIVER_CAPABILITIES: 'all', AMD_VISIBLE_DEVICES: '0' },
    });
    expect(isolateAgent(['CUDA_VERSION=12.2'])).toEqual({
      containerEnvironment: { NVIDIA_VISIBLE_DEVICES: 'void' },
      restored: {},
    });
  });

  it('do not load anything into the agent, and are the command’s again', () => {
    const { containerEnvironment, restored } = isolateAgent(['LD_PRELOAD=/evil.so', 'NODE_OPTIONS=-r /x', 'PATH=/bin']);
    expect(containerEnvironment).toMatchObject({ LD_PRELOAD: '', NODE_OPTIONS: '' });
    expect(restored).toEqual({ LD_PRELOAD: '/evil.so', NODE_OPTIONS: '-r /x' });
  });
});
