/**
 * The boot file of a program. It first listens to the signals that mean a job's command, of which Node would end: what comes
 * is kept for the program (src/system/early-signals.ts). Then it reads the bundle once and compiles it with its cached data;
 * every path is relative to this file.
 */
export const bootText = (name: string): string => `'use strict';
const early = globalThis[Symbol.for('hpcdj.early-signals')] = [];
for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => early.includes(signal) || early.push(signal));
const { readFileSync } = require('node:fs');
const { Script, constants } = require('node:vm');
const file = __dirname + '/${name}.bundle.cjs';
let cachedData;
try { cachedData = readFileSync(__dirname + '/${name}.cache'); } catch {}
const script = new Script('(function (exports, require, module, __filename, __dirname) {' + readFileSync(file, 'utf8') + '\\n})', {
  filename: file, cachedData, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
if (process.env.HPCDJ_BUILD_CACHE === '1') require('node:process').on('exit', () => {
  require('node:fs').writeFileSync(__dirname + '/${name}.cache', script.createCachedData());
});
script.runInThisContext()(exports, require, module, file, __dirname);
`;
