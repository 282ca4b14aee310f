import type { Check, Finding } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** The helper works as root when it is called as jobs call it. `onAnswer` gets what it has found. */
export function checkHelper(
  ask: () => Promise<readonly Finding[]>,
  onAnswer: (findings: readonly Finding[]) => void,
): Check {
  return {
    name: 'helper',
    look: async () => {
      onAnswer(await ask());
      return fine('answers as root');
    },
  };
}
