import { JobError } from '../../values/errors.ts';

/**
 * A resource requirement that also asks for `licenses` (`solver=1,post=2`): they go into its rusage section. Fails with
 * `REQUEST_INVALID` for one with alternatives, where each would need them.
 */
export function addLicenses(resReq: string, licenses: string): string {
  const wanted = licenses.replaceAll(':', ',');
  if (/[{}]|\|\|/.test(resReq.replaceAll(/(?:select|order|same)\[[^\][]*\]/g, ''))) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: `The licences ${licenses} of the application cannot be added to -R "${resReq.slice(0, 200)}".`,
      hint: 'Ask for resources without braces and alternatives (||), or add the licences yourself.',
    });
  }
  if (wanted.split(',').every((each) => asksFor(resReq, each))) return resReq;
  if (/(?:^|[\s\]])rusage\[/.test(resReq)) return resReq.replace(/rusage\[/, `rusage[${wanted},`);
  return `${resReq} rusage[${wanted}]`.trim();
}

/** Who asks for a licence himself, for as many as needed, needs it once only. */
function asksFor(resReq: string, license: string): boolean {
  const rusage = /rusage\[([^\][]*)\]/.exec(resReq)?.[1] ?? '';
  const [name, count] = license.split('=');
  return rusage.split(/[,:\s]+/).some((each) => {
    const [askedName, askedCount] = each.split('=');
    return askedName === name && Number(askedCount) >= Number(count);
  });
}
