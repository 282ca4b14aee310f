/** How the guests' processors are had: by KVM where it really runs a kernel, else by emulation. */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { GuestDisk } from './build-guest.ts';

export type Accelerator = 'kvm' | 'tcg';

/** A kernel under real KVM has started long before; one that KVM must interpret has not. */
const probeTimeoutMs = 8_000;
const sign = 'Run /init as init process';

export function acceleratorOptions(accelerator: Accelerator): readonly string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  // Five-level page tables and protection keys only cost time under emulation.
  return ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,la57=off,-pku'];
}

/** Says `kvm` only when the guest's own kernel has come to its first program by it. */
export async function findAccelerator({ kernel, initrd }: Pick<GuestDisk, 'kernel' | 'initrd'>): Promise<Accelerator> {
  const isThere = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return 'tcg';
  const argv = [
    ...['-M', 'q35', ...acceleratorOptions('kvm'), '-m', '512', '-nodefaults', '-no-user-config'],
    ...['-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel', kernel, '-initrd', initrd],
    ...['-append', 'console=ttyS0 panic=-1'],
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...argv], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return await new Promise((resolve) => {
    let shown = '';
    const settle = (accelerator: Accelerator): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(accelerator);
    };
    const timer = setTimeout(() => settle('tcg'), probeTimeoutMs);
    child.stdout.on('data', (data: Buffer) => {
      shown = (shown + data.toString()).slice(-10_000);
      if (shown.includes(sign)) settle('kvm');
    });
    child.on('exit', () => settle('tcg'));
    child.on('error', () => settle('tcg'));
  });
}
