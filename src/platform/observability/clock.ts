let originMs = performance.timeOrigin;

/** Now in epoch microseconds UTC. Microsecond steps from the monotonic clock, re-anchored when the wall clock steps. */
export function nowUs(): number {
  const driftMs = Date.now() - (originMs + performance.now());
  if (driftMs > 20 || driftMs < -20) originMs += driftMs;
  return Math.round((originMs + performance.now()) * 1000);
}
