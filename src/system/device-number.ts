/** The two numbers by which the kernel knows a device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Out of `st_rdev`, as Linux puts both numbers into one. */
export function splitDevice(device: number): DeviceNumber {
  const bits = BigInt(device);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}
