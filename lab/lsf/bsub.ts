/** bsub: reads a job from its arguments or its standard input, lets the esubs have their say, and submits it. */
import { text as readText } from 'node:stream/consumers';
import { hostname } from 'node:os';
import { findUser, ownUser } from './accounts.ts';
import { talkToMaster } from './ask-master.ts';
import type { Conversation } from './ask-master.ts';
import { parseBsubOptions } from './bsub-options.ts';
import { joinScript, readDirectives } from './bsub-script.ts';
import { CommandError } from './command-error.ts';
import type { JobRequest, Submission } from './job.ts';
import { passTaskStreams } from './pass-streams.ts';
import { runEsubs } from './run-esubs.ts';
import type { Settings } from './settings.ts';
import { numberOf, textOf } from './wire.ts';

/** Submits; returns the exit status, which is the job's own with `-I` and `-K`. */
export async function bsub(settings: Settings, argv: readonly string[]): Promise<number> {
  const { request: drafted, waits, slotsGiven } = await readRequest(argv);
  const user = settings.auth === 'none' ? ownUser() : await findUser(process.getuid?.() ?? 0);
  const outcome = await runEsubs(drafted, {
    settings,
    environment: process.env,
    group: user?.group ?? '',
    slotsGiven,
  });
  const { request } = outcome;
  const submission: Submission = {
    request,
    environment: { ...copyEnvironment(), ...outcome.environment },
    cwd: process.cwd(),
    submitHost: process.env['STANDIN_HOST'] ?? hostname(),
    eexecData: outcome.eexecData.toString('base64'),
  };
  const stays = waits || request.interactive === true;
  const conversation = await talkToMaster(settings, { type: 'submit', submission, stays });
  return await follow(conversation, request, waits);
}

/** From the command line, or without a command there from the script on standard input: its options count where no argument says otherwise. */
async function readRequest(
  argv: readonly string[],
): Promise<{ request: JobRequest; waits: boolean; slotsGiven: boolean }> {
  const given = parseBsubOptions(argv);
  const gives = (words: readonly string[]): boolean => words.some((word) => word.startsWith('-n'));
  if (given.words.length > 0) {
    const command = given.words.join(' ');
    return { request: { ...given.request, command }, waits: given.waits, slotsGiven: gives(argv) };
  }
  const script = await readText(process.stdin);
  if (script.trim() === '') throw new CommandError('No command is specified. Job not submitted.');
  const directives = readDirectives(script);
  // Later options win.
  const both = parseBsubOptions([...withoutCommand(directives), ...argv]);
  const request = { ...both.request, script, command: joinScript(script) };
  return { request, waits: both.waits, slotsGiven: gives(directives) || gives(argv) };
}

/** The words up to a command, which a `#BSUB` line should not have. */
function withoutCommand(directives: readonly string[]): string[] {
  const { words } = parseBsubOptions(directives);
  return directives.slice(0, directives.length - words.length);
}

function copyEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

async function follow(conversation: Conversation, request: JobRequest, waits: boolean): Promise<number> {
  const { socket, messages } = conversation;
  const isInteractive = request.interactive === true;
  for await (const told of messages) {
    switch (told.type) {
      case 'refused':
        throw new CommandError(textOf(told, 'reason'));
      case 'queued': {
        const queue = `${told['isDefault'] === true ? 'default ' : ''}queue <${textOf(told, 'queue')}>`;
        process.stdout.write(`Job <${numberOf(told, 'id')}> is submitted to ${queue}.\n`);
        if (!waits && !isInteractive) return 0;
        process.stderr.write('<<Waiting for dispatch ...>>\n');
        break;
      }
      case 'started':
        process.stderr.write(`<<Starting on ${textOf(told, 'host')}>>\n`);
        // Only now there is a process that input and signals can reach.
        if (isInteractive) passTaskStreams(socket);
        break;
      case 'stdout':
        process.stdout.write(Buffer.from(textOf(told, 'data'), 'base64'));
        break;
      case 'stderr':
        process.stderr.write(Buffer.from(textOf(told, 'data'), 'base64'));
        break;
      case 'ended':
        if (waits && !isInteractive) process.stderr.write('<<Job is finished>>\n');
        socket.destroy();
        return numberOf(told, 'status');
    }
  }
  throw new CommandError('The connection to the LSF stand-in broke.');
}
