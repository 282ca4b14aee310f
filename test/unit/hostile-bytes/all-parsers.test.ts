/** A parser without a property stands out here: every function of the source that reads a text is in one of the lists. */
import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { hostParsers } from './host-parsers.ts';
import { requestParsers } from './request-parsers.ts';
import { schedulerParsers } from './scheduler-parsers.ts';

/** What reads no bytes of others, or only hands them to a parser that is in a list. */
const others: Readonly<Record<string, readonly string[]>> = {
  'asks a program, the system or the store, and hands the answer to a parser of the lists': [
    'confirmation/find-uid#findUid',
    'helper/host/read-process#readProcess',
    'helper/host-checks/check-host#readHostQuestion',
    'helper/job/claim-subnet#readSubnetClaims',
    'helper/job/earlier-runs#readEarlierRuns',
    'helper/records/read-records#readRecords',
    'middleware/shell/find-place#readJob',
    'helper/caller/identify-caller#readCallerFacts',
    'lsf/refuse-container-mode#readContainerMarks',
    'slurm/read-settings#readSettings',
    'slurm/read-suspended-seconds#readSuspendedSeconds',
    'slurm/read-gres#readGres',
    'slurm/read-share#readShare',
    'system/read-small-file#readSmallFile',
    'system/read-small-file#readSmallText',
    'system/read-regular-file#readRegularFile',
    'system/read-regular-file#readRegularFileSync',
    'values/parse-json-as#parseJsonAs',
    'values/parse-json-as#parseJson',
    'middleware/call-helper#readEvents',
    'docker/split-output#splitOutput',
    'system/device-number#splitDevice',
    'system/lines#readLines',
    'system/mount-table#readMountTable',
    'helper/host/run-directory#readNodeFiles',
  ],
  'is a part of a parser of the lists, or compares one word of a command line': [
    'policy/parse-job-request#parseJobRequest',
    'slurm/read-allocation#readAllocationInStep',
    'middleware/policy/find-asker#readNamedQueue',
  ],
  'reads what the kernel, root or the site’s administrators alone have written': [
    'config/load-site#readSiteFile',
    'helper/host/registry-access#readCredentials',
    'helper/host/root-marks#parseRootMark',
    'system/open-files#readMountId',
    'system/signal-process#readStart',
    'system/signal-process#readState',
    'cgroup/read-limits#readLimits',
    'cgroup/read-kernel-file#readKernelFile',
    'cgroup/read-kernel-file#readKernelNumber',
    'cgroup/read-kernel-file#readCgroupsOf',
    'config/load-site#readYamlFile',
    'config/parse-site#readSite',
    'config/read-site-yaml#readSiteYaml',
    'lsf/configuration/read-configuration#readConfiguration',
    'middleware/policy/read-cases#readCases',
    'middleware/policy/read-cases#parseCases',
    'lsf/esub/exchange-files#readParameterFile',
    'pki/certificates#readFacts',
    'pki/pki-directory#readAuthority',
    'system/read-user#readUser',
  ],
};

const parserName = /^export (?:async )?function (?<name>(?:parse|read|expand|split)[A-Z]\w*)/gm;
const schemaUse = /JsonAs\((?<given>\w+Schema),|\b(?<asked>\w+Schema)\.(?:safeParse|parse)\(/g;
/** Parts of answers of programs that root runs with fixed words, and values within those of the lists. */
const partsOfOthers = [
  ...[
    'packedSchema',
    'columnsSchema',
    'graphDriverSchema',
    'layersSchema',
    'statSchema',
    'linksSchema',
    'routesSchema',
    'endSchema',
    'tunnelSchema',
    'leftEndSchema',
    'jobEndSchema',
  ],
  ...[
    'siteSchema',
    'subnetClaimSchema',
    'earlierRunSchema',
    'rosterSchema',
    'lateCommandSchema',
    'nodePhaseSchema',
    'nodeUsageSchema',
  ],
  ...[
    'abandonedLayerSchema',
    'watchedSchema',
    'excessSchema',
    'publicKeySchema',
    'wantedStateSchema',
    'jobRequestSchema',
    'caseFileSchema',
    // Root's own file.
    'credentialsSchema',
    // Parts of parseEnterRequest; and a file of the user's own, read as the user.
    'enterRequestSchema',
    'entryOrderSchema',
    'jobSurroundingsSchema',
    // Lines that the helper alone has written.
    'jobRecordSchema',
    'shownLineSchema',
    // A file of root's.
    'pendingSchema',
  ],
];

const listed = [...schedulerParsers, ...requestParsers, ...hostParsers].map(({ name }) => name);
const sources = globSync('src/**/*.ts').map((file) => ({
  place: file.replace(/^src\/(.*)\.ts$/, '$1'),
  text: readFileSync(file, 'utf8'),
}));

it('every function that reads a text has a property, or a reason to have none', () => {
  const known = new Set([...listed, ...Object.values(others).flat()]);
  const found = sources.flatMap(({ place, text }) =>
    [...text.matchAll(parserName)].map(({ groups }) => `${place}#${groups?.['name']}`),
  );
  expect(found.length).toBeGreaterThan(50);
  expect(found.filter((name) => !known.has(name))).toEqual([]);
});

it('every schema that is asked has a property, or is a part of others', () => {
  const known = new Set([...listed.map((name) => name.replace(/^.*#/, '')), ...partsOfOthers]);
  const used = sources.flatMap(({ text }) =>
    [...text.matchAll(schemaUse)].map(({ groups }) => groups?.['given'] ?? groups?.['asked'] ?? ''),
  );
  expect(used.length).toBeGreaterThan(20);
  expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
});

it('no list names what is not there any more', () => {
  const named = [...listed, ...Object.values(others).flat()].filter((name) => !name.includes(' '));
  const isThere = (name: string): boolean => {
    const [place, word = ''] = name.split('#');
    return sources.some((source) => source.place === place && new RegExp(`\\b${word}\\b`).test(source.text));
  };
  expect(named.filter((name) => !isThere(name))).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
});
