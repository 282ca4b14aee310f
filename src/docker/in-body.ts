import type { ContainerCreateOptions } from 'dockerode';

/**
 * The options of a container for the library, so that only the name stands in the address of the request. By itself
 * the library repeats all of them there, and servers refuse addresses of some length: Node's own after 16 KiB.
 */
export function inBody({ name, ...options }: ContainerCreateOptions, abortSignal: AbortSignal): ContainerCreateOptions {
  const split = { _query: name === undefined ? {} : { name }, _body: options, abortSignal };
  return split;
}
