/** Programs of the host that root runs for a job besides those of its network, with the Debian package of each. */
export const hostPrograms = { mkfifo: 'coreutils' } as const;
