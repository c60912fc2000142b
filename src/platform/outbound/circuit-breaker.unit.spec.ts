import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.js';

const MINUTE_MS = 60_000;
const breaker = () => new CircuitBreaker(() => 1);
const fail = (circuit: CircuitBreaker, times: number, nowMs = 0) => {
  for (let i = 0; i < times; i++) circuit.failed(nowMs);
};

describe('a circuit breaker', () => {
  it('stays closed for four failures in a row, and opens at the fifth for a minute', () => {
    const circuit = breaker();
    fail(circuit, 4);
    expect(circuit.state(0)).toBe('closed');
    fail(circuit, 1);
    expect([circuit.state(0), circuit.openForMs(0)]).toEqual(['open', MINUTE_MS]);
    expect(circuit.state(MINUTE_MS - 1)).toBe('open');
    expect([circuit.state(MINUTE_MS), circuit.openForMs(MINUTE_MS)]).toEqual(['half-open', 0]);
  });

  it('starts to count anew after a success', () => {
    const circuit = breaker();
    fail(circuit, 4);
    circuit.succeeded();
    fail(circuit, 4);
    expect([circuit.state(0), circuit.failures]).toEqual(['closed', 4]);
  });

  it('closes when the probe succeeds, and the next time opens for a minute again', () => {
    const circuit = breaker();
    fail(circuit, 5);
    circuit.succeeded();
    expect(circuit.state(0)).toBe('closed');
    fail(circuit, 5);
    expect(circuit.openForMs(0)).toBe(MINUTE_MS);
  });

  it('opens twice as long after each probe that fails, a quarter of an hour at most', () => {
    const circuit = breaker();
    fail(circuit, 5);
    const open = Array.from({ length: 6 }, () => {
      circuit.failed(0);
      return circuit.openForMs(0) / MINUTE_MS;
    });
    expect(open).toEqual([2, 4, 8, 15, 15, 15]);
  });

  it('never opens for less than half of that', () => {
    const circuit = new CircuitBreaker(() => 0);
    fail(circuit, 5);
    expect(circuit.openForMs(0)).toBe(MINUTE_MS / 2);
  });
});
