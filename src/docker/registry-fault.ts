import { JobError } from '../values/errors.ts';
import type { ErrorCode } from '../values/errors.ts';
import { oneLine } from '../values/one-line.ts';

/** Why an image did not come, as far as the engine's words tell; it has no other way to say it. The first that fits counts. */
interface Fault {
  readonly words: RegExp;
  readonly code: ErrorCode;
  readonly what: (registry: string) => string;
  readonly hint: string;
}

const later = 'Safe to submit again.';

const faults: readonly Fault[] = [
  {
    words: /no space left on device|disk quota exceeded/i,
    code: 'HOST_UNFIT',
    what: () => 'the disk of the Docker Engine on this host is full',
    hint: 'Ask the administrators to make room there (docker image prune), or exclude the host.',
  },
  {
    words: /no matching manifest for|no match for platform|image operating system .* cannot be used/i,
    code: 'IMAGE_UNUSABLE',
    what: (registry) => `what ${registry} has of it is not made for the processors of this host`,
    hint: 'Ask the maker of the image for one that is.',
  },
  {
    words: /toomanyrequests|\b429\b/i,
    code: 'IMAGE_NOT_FETCHED',
    what: (registry) => `${registry} is asked too often`,
    hint: later,
  },
  {
    words:
      /handshake timeout|i\/o timeout|deadline exceeded|Client\.Timeout|connection re(?:set|fused)|unexpected EOF/i,
    code: 'IMAGE_NOT_FETCHED',
    what: (registry) => `${registry} does not answer, or breaks off`,
    hint: later,
  },
  {
    words: /verification failed/i,
    code: 'IMAGE_NOT_FETCHED',
    what: (registry) => `what came from ${registry} is not what its digest says`,
    hint: `${later} If it stays, tell the administrators: the registry, or what stands before it, gives out other bytes.`,
  },
  {
    words: /x509|certificate|tls: |server gave HTTP response to HTTPS client/i,
    code: 'REGISTRY_UNUSABLE',
    what: (registry) => `the Docker Engine does not trust ${registry}`,
    hint: 'Ask the administrators: images.registries.caFile in site.yaml names the authority of its certificate.',
  },
  {
    words: /no such host/i,
    code: 'REGISTRY_UNUSABLE',
    what: (registry) => `this host knows no ${registry}`,
    hint: 'Ask the administrators: every host must be able to look up the name of the registry.',
  },
  {
    words: /no basic auth credentials|unauthorized|authentication required|incorrect username or password|\b401\b/i,
    code: 'REGISTRY_UNUSABLE',
    what: (registry) => `${registry} asks for credentials, and the site has none that it takes`,
    hint: 'Ask the administrators: images.registries.credentialsFile in site.yaml holds the site’s.',
  },
  {
    words: /denied|forbidden/i,
    code: 'IMAGE_NOT_PRESENT',
    what: (registry) => `${registry} does not have it, or does not give it to this site`,
    hint: 'Look at the spelling; else ask the administrators whether the site may read that repository.',
  },
  {
    words: /not found|(?:manifest|name|blob) unknown|unknown (?:manifest|blob)/i,
    code: 'IMAGE_NOT_PRESENT',
    what: (registry) => `${registry} does not have it`,
    hint: 'Look at name and tag of the image.',
  },
];

/** The engine quotes what a registry says, however long. */
const mostJudged = 2000;

/**
 * What the engine says of a registry that did not give an image, as an error whose message is a part of a sentence. What is
 * not known may pass: `IMAGE_NOT_FETCHED`.
 */
export function explainRegistryFault(registry: string, engineSays: string): JobError {
  const fault = faults.find(({ words }) => words.test(engineSays.slice(0, mostJudged)));
  const said = oneLine(engineSays, 300);
  const what = fault?.what(registry) ?? `${registry} did not give it`;
  return new JobError({
    code: fault?.code ?? 'IMAGE_NOT_FETCHED',
    message: `${what} (${said})`,
    hint: fault?.hint ?? later,
  });
}
