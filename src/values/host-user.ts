/** A user as the host's user database (NSS) knows it. */
export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly groups: readonly { readonly gid: number; readonly name: string }[];
}
