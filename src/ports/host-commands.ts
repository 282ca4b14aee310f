/** What a network driver asks of the host: its programs that configure networks, and two facts. */
export interface HostCommands {
  /** Standard output. Fails with `HOST_UNFIT` when the program is absent, fails or does not end in time. */
  run(program: string, argv: readonly string[], input?: string): Promise<string>;
  /** A kernel setting by its sysctl name, trimmed. */
  readSetting(name: string): Promise<string>;
  /** Name of the interface that has this IPv4 address; undefined when it is not this host's. */
  findInterface(address: string): Promise<string | undefined>;
}
