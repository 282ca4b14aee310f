import type { HelperEvent, JobEnd, UsedByNode } from '../contract/helper-events.ts';
import { formatBytes } from '../values/format-bytes.ts';
import { signalOfStatus } from '../values/signal-of-status.ts';
import { sumUsage } from '../contract/sum-usage.ts';
import { chooseFetchLines, describeFetches, haveFetched } from './describe-fetches.ts';
import type { FetchingHost } from './describe-fetches.ts';

/** Where lines for people go. */
export interface ProgressTarget {
  write(text: string): void;
  readonly isTerminal: boolean;
}

/**
 * One line per phase with its time since the start; on a terminal also a line that changes while nodes start. Once the
 * command may write, nothing of what stands on the terminal is touched any more.
 */
export interface Progress {
  say(text: string): void;
  show(event: HelperEvent): void;
  /** Milliseconds since the start at which each phase was reached. */
  readonly phaseTimesMs: Readonly<Record<string, number>>;
}

const name = 'hpc-submit-dockerjob';
const eraseLine = '\r\u001b[K';

/** Progress on standard error; `isQuiet` leaves only the times, for the outcome. */
export function showProgress(
  target: ProgressTarget,
  { isQuiet, startedAtMs }: { readonly isQuiet: boolean; readonly startedAtMs: number },
): Progress {
  const phaseTimesMs: Record<string, number> = {};
  const phases = new Map<number, string>();
  let nodeCount = 0;
  let isLive = false;
  let mayCommandWrite = false;
  const elapsed = (): number => performance.now() - startedAtMs;
  const stamp = (): string => `${(elapsed() / 1000).toFixed(2).padStart(7)} s`;
  const say = (text: string): void => {
    if (isQuiet) return;
    target.write(`${isLive ? eraseLine : ''}${name} ${stamp()}  ${text}\n`);
    isLive = false;
  };
  const live = (text: string): void => {
    if (isQuiet || !target.isTerminal || mayCommandWrite) return;
    target.write(`${eraseLine}${name} ${stamp()}  … ${text}`);
    isLive = true;
  };
  const isLineDue = chooseFetchLines(elapsed);
  const showFetches = (hosts: readonly FetchingHost[]): void => {
    if (haveFetched(hosts)) phaseTimesMs['fetched'] = Math.round(elapsed());
    const text = `fetching  ${describeFetches(hosts)}`;
    if (target.isTerminal && !haveFetched(hosts)) live(text);
    else if (isLineDue(hosts)) say(text);
  };
  const reached = (phase: string, text: string): void => {
    phaseTimesMs[phase] = Math.round(elapsed());
    say(text);
  };
  return {
    say,
    phaseTimesMs,
    show: (event) => {
      switch (event.event) {
        case 'opened': {
          nodeCount = event.nodes.length;
          reached('opened', `opened    ${describeOpened(event)}`);
          break;
        }
        case 'node':
          phases.set(event.index, event.phase);
          live(countPhases(nodeCount, phases));
          break;
        case 'fetching':
          showFetches(event.hosts);
          break;
        case 'gathered':
          reached('gathered', `gathered  every container runs; addresses and keys are exchanged`);
          break;
        case 'ready':
          mayCommandWrite = true;
          reached(
            'ready',
            `ready     ${nodeCount > 1 ? `${nodeCount} of ${nodeCount} nodes can reach each other; ` : ''}the command starts`,
          );
          break;
        case 'note':
          say(`note      ${event.message}`);
          break;
        case 'finished':
          reached('finished', `finished  ${describeEnd(event.end)}`);
          break;
        case 'released':
          if (event.usage.length > 0) say(`used      ${describeUsage(event.usage)}`);
          reached(
            'released',
            event.leftovers.length === 0
              ? 'released  nothing is left behind'
              : `released  but still there: ${event.leftovers.join('; ')}`,
          );
          break;
        case 'refused':
          break; // printed once, as the error that it is
      }
    },
  };
}

function countPhases(nodeCount: number, phases: ReadonlyMap<number, string>): string {
  const counts = Map.groupBy(phases.values(), (phase) => phase);
  return `of ${nodeCount} nodes: ${[...counts].map(([phase, all]) => `${all.length} ${phase}`).join(', ')}`;
}

function describeOpened(event: Extract<HelperEvent, { event: 'opened' }>): string {
  const { image, imageId, imageDigest, cidr, driver, devices, nodes } = event;
  const short = (imageId ?? imageDigest?.replace(/^.*@/, '') ?? '').slice(0, 'sha256:'.length + 12);
  const given = devices.map((device) => `devices ${device}, `).join('');
  return `image ${image} (${short}), network ${cidr} (${driver}), ${given}${nodes.length} node${nodes.length === 1 ? '' : 's'}`;
}

function describeEnd(end: JobEnd): string {
  if (end.by === 'command') {
    const signal = signalOfStatus(end.exitStatus);
    const told = signal === undefined ? '' : ` (${signal.name}, ${signal.meaning})`;
    return `the command ended with status ${end.exitStatus}${told}`;
  }
  return `ended by hpc-submit-dockerjob with status ${end.exitStatus} [${end.code}]`;
}

function describeUsage(nodes: readonly UsedByNode[]): string {
  const { cpuSeconds, peakMemoryBytes } = sumUsage(nodes);
  const most = nodes.find((node) => node.peakMemoryBytes === peakMemoryBytes);
  const parts = [
    cpuSeconds === undefined ? undefined : `${cpuSeconds.toFixed(1)} s of CPU time`,
    peakMemoryBytes === undefined ? undefined : `at most ${formatBytes(peakMemoryBytes)} of memory on ${most?.host}`,
  ];
  return `${parts.filter((part) => part !== undefined).join(', ')} (the containers)`;
}
