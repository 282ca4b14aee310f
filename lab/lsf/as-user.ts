/** File work in a user's directories, done with that user's rights: a link planted there must lead nowhere new. */
import { listGroups } from './accounts.ts';
import type { JobUser } from './job.ts';
import type { Settings } from './settings.ts';

/** Runs synchronous file work as the user. Nothing else of this process runs meanwhile, so nothing else is affected. */
export async function asUser<T>(settings: Settings, user: JobUser, action: () => T): Promise<T> {
  if (settings.auth === 'none') return action();
  const groups = await listGroups(user);
  const { setgroups, setegid, seteuid } = process;
  if (setgroups === undefined || setegid === undefined || seteuid === undefined) return action();
  try {
    setgroups(groups);
    setegid(user.gid);
    seteuid(user.uid);
    return action();
  } finally {
    seteuid(0);
    setegid(0);
    setgroups([0]);
  }
}
