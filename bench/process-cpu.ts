import { readdirSync, readFileSync } from 'node:fs';

/** CPU seconds of a PostgreSQL server so far: its postmaster, the processes it runs and those that ended. */
export function postgresCpuSeconds(postmaster: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    const [parent, user, system, waited, waitedSystem] = statOf(pid);
    if (Number(pid) === postmaster) ticks += user + system + waited + waitedSystem;
    else if (parent === postmaster) ticks += user + system;
  }
  return ticks / 100; // of 10 ms
}

function statOf(pid: string): [number, number, number, number, number] {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ').map(Number);
    return [fields[1]!, fields[11]!, fields[12]!, fields[13]!, fields[14]!];
  } catch {
    return [0, 0, 0, 0, 0]; // no process, or it ended just now
  }
}
