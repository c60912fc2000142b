import { describe, expect, it } from 'vitest';
import { HeardOrder } from './heard-order.js';
import { parsePosition, positionText } from './position.js';
import { Replay } from './replay.js';

const heard = (eventId: string) => ({ eventId, groups: [] });
const idsOf = (publications: readonly { eventId?: string }[]) => publications.map(({ eventId }) => eventId);

describe('position', () => {
  it('is the bare event id at the end of an event, with the number of the update within it', () => {
    expect(positionText('9', 2, 3)).toBe('9');
    expect(positionText('9', 1, 3)).toBe('9.1');
    expect(parsePosition('9')).toEqual({ eventId: '9' });
    expect(parsePosition('9.1')).toEqual({ eventId: '9', item: 1 });
  });

  it.each(['', 'abc', '-1', '1.', '1.2.3', '0x10', '9223372036854775808'])('is not %j', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });
});

describe('heard order', () => {
  const order = new HeardOrder();
  for (const id of ['10', '12', '11', '13']) order.note(id);

  it('knows of events beyond an id that were heard before it', () => {
    expect(order.upTo('11')).toEqual({ after: 11n, had: new Set(['12']) });
  });

  it('goes back behind events that were heard later with a smaller id', () => {
    expect(order.upTo('12')).toEqual({ after: 10n, had: new Set(['12']) });
  });

  it('forgets what is long ago', () => {
    for (let id = 100; id < 9000; id++) order.note(String(id));
    expect(order.upTo('13')).toBeUndefined();
    expect(order.upTo('8999')).toMatchObject({ after: 8999n });
  });
});

describe('replay', () => {
  it('gives what was held only if it was not read', () => {
    const replay = new Replay();
    replay.startAfter(5n);
    expect(replay.beforeRead()).toEqual([]);
    replay.hold(heard('7'));
    replay.hold(heard('8'));
    expect(replay.read('6')).toBe(true);
    expect(replay.read('7')).toBe(true);
    expect(idsOf(replay.rest())).toEqual(['8']);
  });

  it('gives an event with an id that reading has passed', () => {
    const replay = new Replay();
    replay.startAfter(5n);
    replay.beforeRead();
    replay.read('9');
    replay.hold(heard('7'));
    replay.hold(heard('10'));
    expect(idsOf(replay.beforeRead())).toEqual(['7']);
    expect(replay.read('10')).toBe(true);
  });

  it('reads the event again in the middle of which the client stood', () => {
    const replay = new Replay({ eventId: '5', item: 1 });
    replay.startAfter(5n, new Set(['5', '6']));
    expect(replay.after).toBe(4n);
    expect(replay.read('5')).toBe(true);
    expect(replay.read('6')).toBe(false);
    expect(replay.hadItem('5')).toBe(1);
    expect(replay.hadItem('6')).toBe(-1);
  });

  it('says when more came than it may hold', () => {
    const replay = new Replay();
    for (let id = 1; id <= 2001; id++) replay.hold(heard(String(id)));
    expect(replay.overflowed).toBe(true);
  });
});
