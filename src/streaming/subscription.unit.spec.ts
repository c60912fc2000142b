import { describe, expect, it } from 'vitest';
import { STREAM_TYPES } from './published.js';
import { parseSubscription } from './subscription.js';

describe('subscription', () => {
  it('reads an action with its symbols and types', () => {
    expect(parseSubscription('{"action":"subscribe","symbols":["BTCUSDT","BTCUSDT"],"types":["trade"]}')).toEqual({
      action: 'subscribe',
      symbols: ['BTCUSDT'],
      types: ['trade'],
    });
  });

  it('means every type when none is named', () => {
    expect(parseSubscription('{"action":"unsubscribe"}')).toEqual({
      action: 'unsubscribe',
      symbols: [],
      types: STREAM_TYPES,
    });
  });

  it.each([
    ['{', /not JSON/],
    ['[]', /not an object/],
    ['null', /not an object/],
    ['{"action":"listen"}', /subscribe or unsubscribe/],
    ['{"action":"subscribe","types":["trades"]}', /trade, candle, candle-closed, anomaly, alert, webhook, feed, file/],
    ['{"action":"subscribe","types":"trade"}', /trade, candle, candle-closed, anomaly, alert, webhook, feed, file/],
    ['{"action":"subscribe","symbols":["btc usdt"]}', /symbols must be/],
    ['{"action":"subscribe","symbols":{"0":"BTCUSDT"}}', /symbols must be/],
    [JSON.stringify({ action: 'subscribe', symbols: Array.from({ length: 501 }, (_, i) => `S${i}`) }), /at most 500/],
  ])('says what is wrong with %.60s', (frame, fault) => {
    expect(parseSubscription(frame)).toMatch(fault);
  });
});
