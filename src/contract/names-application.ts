/**
 * True when a submission's APPLICATION is meant for us: other programs may use a variable of that name, but hardly with a
 * name of the site's catalogue, or with COMMAND beside it.
 */
export function namesApplication(
  environment: Readonly<Record<string, string | undefined>>,
  isKnown: (name: string) => boolean,
): boolean {
  const application = environment['APPLICATION'] ?? '';
  return application !== '' && (isKnown(application) || (environment['COMMAND'] ?? '') !== '');
}
