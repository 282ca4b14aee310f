import type { DeviceNumber } from '../system/device-number.ts';

/**
 * Devices that no site.yaml can allow: by each of them a container gets at the host's memory, disks, terminals or input, or at
 * the devices of other jobs. Names and numbers as in the kernel's admin-guide/devices.txt. Block devices are never allowed.
 */
const forbiddenNames =
  /^\/dev\/(?:mem|kmem|port|kmsg|core|console|snapshot|nvram|ppp|uinput|uhid|autofs|btrfs-control|loop-control|rtc\d*|hpet|hwrng|tty.*|pts(?:\/.*)?|ptmx|vcs.*|input(?:\/.*)?|mapper(?:\/.*)?|cpu(?:\/.*)?|vfio(?:\/.*)?|iommu|sg\d+|bsg(?:\/.*)?|st\d+|nst\d+|raw(?:\/.*)?|mtd\d.*|nvme.*|ng\d+n\d+|tpm.*|mei\d*|ipmi.*|watchdog\d*|gpiochip\d*|i2c-\d+|spidev.*|udmabuf|vhci|usbmon\d+|bus(?:\/.*)?|vhost.*|shm(?:\/.*)?|mqueue(?:\/.*)?|fd(?:\/.*)?)$/;

/** Terminals, tapes, input, SCSI commands, flash, raw disks, registers of processors. */
const forbiddenMajors: readonly number[] = [2, 3, 4, 5, 7, 9, 13, 21, 29, 90, 162, 180, 189, 202];
const pseudoTerminals = { first: 128, last: 143 };

/** Of major 1: null, zero, full, random, urandom. The others are the host's memory, ports and log. */
const harmlessMemory: readonly number[] = [3, 5, 7, 8, 9];

/** Of major 10: nvram, uinput, autofs, device mapper, loop control, btrfs, virtual hosts and HID. */
const forbiddenMisc: readonly number[] = [137, 144, 196, 223, 231, 234, 235, 236, 237, 238, 239, 241];

/** True when a device of that name in /dev may never be in a container; `*` stands for any text. */
export function isForbiddenName(path: string): boolean {
  return forbiddenNames.test(path);
}

/** True when the character device of that number may never be in a container, whatever its name. */
export function isForbiddenNumber({ major, minor }: DeviceNumber): boolean {
  if (major === 1) return !harmlessMemory.includes(minor);
  if (major === 10) return forbiddenMisc.includes(minor);
  return forbiddenMajors.includes(major) || (major >= pseudoTerminals.first && major <= pseudoTerminals.last);
}
