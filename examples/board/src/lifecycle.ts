/** Where a web process is in its life: how many requests it is answering, and whether it is leaving. */
export class Lifecycle {
  draining = false;
  inFlight = 0;

  async track<T>(work: () => Promise<T>): Promise<T> {
    this.inFlight++;
    try {
      return await work();
    } finally {
      this.inFlight--;
    }
  }
}
