import { isOffered } from '../contract/offered-variables.ts';

type Variables = Readonly<Record<string, string>>;

const isLocale = (name: string): boolean => /^(?:LANG|LANGUAGE|LC_.*)$/.test(name);

/**
 * The offered variables that the site passes on. An image that says its own language keeps it: that of the submission host
 * is often not in it.
 */
export function passVariables(
  offered: Variables,
  passEnvironment: readonly string[],
  imageEnvironment: readonly string[],
): Record<string, string> {
  const speaks = imageEnvironment.some((line) => isLocale(line.split('=')[0] ?? ''));
  // What is offered comes from a user: the families are looked at again.
  return Object.fromEntries(
    Object.entries(offered).filter(
      ([name]) => isOffered(name) && isOffered(name, passEnvironment) && !(speaks && isLocale(name)),
    ),
  );
}
