/** Metrics in Prometheus' text format. Counters live here; what others hold is asked for when scraped. */

/** Seconds. 0.5 is among them because that is where the latency alarm stands. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

export class Metrics {
  #counters = new Map<string, Map<string, number>>();
  #buckets = new Array<number>(BUCKETS.length).fill(0);
  #sum = 0;
  #count = 0;

  /** `labels` as they stand between the braces: `status="200"`. */
  count(name: string, labels = "", by = 1): void {
    const series = this.#counters.get(name) ?? new Map<string, number>();
    this.#counters.set(name, series.set(labels, (series.get(labels) ?? 0) + by));
  }

  request(method: string, status: number, seconds: number): void {
    this.count("board_http_requests_total", `method="${method}",status="${status}"`);
    this.#sum += seconds;
    this.#count++;
    const first = BUCKETS.findIndex((le) => seconds <= le);
    if (first >= 0) this.#buckets[first] = (this.#buckets[first] ?? 0) + 1;
  }

  /** `gauges`: names with their labels, and values. */
  render(gauges: Record<string, number>): string {
    const lines: string[] = [];
    for (const [name, series] of this.#counters) {
      lines.push(`# TYPE ${name} counter`);
      for (const [labels, value] of series) lines.push(`${name}${labels && `{${labels}}`} ${value}`);
    }
    const duration = "board_http_request_duration_seconds";
    lines.push(`# TYPE ${duration} histogram`);
    let below = 0;
    for (const [i, le] of BUCKETS.entries()) {
      below += this.#buckets[i] ?? 0;
      lines.push(`${duration}_bucket{le="${le}"} ${below}`);
    }
    lines.push(`${duration}_bucket{le="+Inf"} ${this.#count}`);
    lines.push(`${duration}_sum ${this.#sum}`, `${duration}_count ${this.#count}`);

    const typed = new Set<string>();
    for (const [series, value] of Object.entries(gauges)) {
      const [name = series] = series.split("{");
      if (!typed.has(name)) lines.push(`# TYPE ${name} gauge`);
      typed.add(name);
      lines.push(`${series} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}
