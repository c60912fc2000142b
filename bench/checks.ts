/** Prints each check as it is made, and knows how many failed. */
export class Checks {
  private passed = 0;
  private failed = 0;

  /** Good when `got` is what was wanted, or what a test of it says. */
  check(what: string, got: unknown, wanted: unknown): void {
    const good = typeof wanted === 'function' ? Boolean((wanted as (value: unknown) => boolean)(got)) : got === wanted;
    if (good) this.passed++;
    else this.failed++;
    const expected = String(wanted);
    console.log(`${good ? 'ok  ' : 'FAIL'} ${what}: ${String(got)}${good ? '' : `, wanted ${expected}`}`);
  }

  /** Prints the sum; returns the exit code. */
  finish(): number {
    console.log(`\n${this.passed} passed, ${this.failed} failed`);
    return this.failed > 0 ? 1 : 0;
  }
}
