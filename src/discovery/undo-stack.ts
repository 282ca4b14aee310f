/** What has to be taken back at the end, last first; one failing step does not keep the others from running. */
export class UndoStack {
  private readonly steps: (() => Promise<void> | void)[] = [];

  push(step: () => Promise<void> | void): void {
    this.steps.push(step);
  }

  async run(): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step();
      } catch {
        // Nobody is left to be told, and the container that holds the rest is about to go.
      }
    }
  }
}
