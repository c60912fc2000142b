/** The live page: loads what is recorded over REST, then follows the event stream. Draws at most once a frame. */

const API = '/api/v1';
const STREAM = '/stream?types=trade,feed';
const REFRESH_EVERY_MS = 15_000;
const RELOAD_AFTER_MS = 5000;
const RECONNECT_MS = { first: 1000, most: 30_000 };
const STALE_AFTER_S = 60;

const element = (id) => document.getElementById(id);
const connection = element('connection');
const table = element('markets');
const body = element('rows');
const empty = element('empty');
const error = element('error');
const feedLine = element('feeds');

/** One row per symbol and source; `drawn` is what stands on the page. */
const markets = new Map();
const feeds = new Map();
const dirty = new Set();
let frame = 0;

const keyOf = ({ source, symbol }) => `${source} ${symbol}`;

// ---- data ----------------------------------------------------------------------------------------------------------

function marketOf(one) {
  const key = keyOf(one);
  let market = markets.get(key);
  if (!market) {
    market = { symbol: one.symbol, source: one.source, row: rowFor(one), drawnPrice: undefined };
    markets.set(key, market);
    place(market);
    showTable();
    if (loaded) refreshSoon(market);
  }
  return market;
}

function applyTrade(trade) {
  const market = marketOf(trade);
  const at = Date.parse(trade.tradedAt);
  // size 0 is a price, not a trade
  if (market.stats && trade.size !== '0') {
    market.stats.trades += 1;
    market.stats.volume += Number(trade.size);
  }
  // late trades are counted, but the last price is that of the latest
  if (!(at < market.at)) {
    market.price = trade.price;
    market.at = at;
  }
  touch(market);
}

let loaded = false;

async function load() {
  try {
    const { items } = await getJson(`${API}/symbols`);
    loaded = true;
    for (const item of items) {
      const market = marketOf(item);
      const at = item.tradedAt === null ? undefined : Date.parse(item.tradedAt);
      if (at !== undefined && !(at < market.at)) {
        market.price = item.price;
        market.at = at;
      }
      touch(market);
    }
    showError(undefined);
    if (markets.size === 0) empty.textContent = 'Waiting for the first trades…';
    await refreshAll();
  } catch (fault) {
    showError(`The markets could not be loaded (${fault.message}). Trying again.`);
    setTimeout(load, RELOAD_AFTER_MS);
  }
}

/** One request at a time, so that many markets are no burst. */
let refreshing = false;
async function refreshAll() {
  if (refreshing || document.hidden) return;
  refreshing = true;
  try {
    for (const market of [...markets.values()]) await refresh(market);
  } finally {
    refreshing = false;
  }
}

function refreshSoon(market) {
  setTimeout(() => refresh(market), 1000);
}

async function refresh(market) {
  try {
    const address = `${API}/24h-change/${encodeURIComponent(market.symbol)}?source=${encodeURIComponent(market.source)}`;
    const change = await getJson(address);
    market.stats = {
      openPrice: Number(change.openPrice),
      percent: change.priceChangePercent,
      volume: Number(change.volume),
      trades: change.trades,
    };
    touch(market);
  } catch {
    // a market without a day's figures shows dashes; prices go on
  }
}

/** Changes of state are told once and cannot be resumed, so each connection asks how things stand. */
async function loadFeeds() {
  try {
    const { items } = await getJson(`${API}/feeds`);
    for (const feed of items) feeds.set(feed.source, feed);
    showFeeds();
  } catch {
    // the feeds may run in another process; their changes still come over the stream
  }
}

async function getJson(address) {
  const response = await fetch(address, { headers: { accept: 'application/json' } });
  if (!response.ok) {
    const problem = await response.json().catch(() => undefined);
    throw new Error(problem?.title ?? `status ${response.status}`);
  }
  return response.json();
}

// ---- stream --------------------------------------------------------------------------------------------------------

let lastEventId = '';
let waitMs = RECONNECT_MS.first;

function connect() {
  const resume = lastEventId === '' ? '' : `&lastEventId=${encodeURIComponent(lastEventId)}`;
  const stream = new EventSource(STREAM + resume);
  const on = (type, handle) =>
    stream.addEventListener(type, (event) => {
      lastEventId = event.lastEventId;
      handle(JSON.parse(event.data));
    });
  stream.onopen = () => {
    waitMs = RECONNECT_MS.first;
    showConnection('live');
    loadFeeds();
  };
  on('trade', applyTrade);
  on('feed', (feed) => {
    feeds.set(feed.source, feed);
    showFeeds();
  });
  on('reset', () => load());
  stream.onerror = () => {
    showConnection('reconnecting');
    if (stream.readyState !== EventSource.CLOSED) return; // it comes back by itself
    setTimeout(connect, waitMs);
    waitMs = Math.min(waitMs * 2, RECONNECT_MS.most);
  };
}

// ---- page ----------------------------------------------------------------------------------------------------------

function touch(market) {
  dirty.add(market);
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  for (const market of dirty) drawMarket(market);
  dirty.clear();
}

function drawMarket(market) {
  const { row, price, stats } = market;
  if (price !== undefined && price !== market.drawnPrice) {
    if (market.drawnPrice !== undefined) flash(row.price, Number(price) >= Number(market.drawnPrice));
    setText(row.price, grouped(price));
    market.drawnPrice = price;
  }
  const percent = percentOf(market);
  setText(row.change, percent === undefined ? '–' : percentText.format(percent));
  row.change.classList.toggle('rise', percent > 0);
  row.change.classList.toggle('fall', percent < 0);
  setText(row.volume, stats ? volumeText.format(stats.volume) : '–');
  setText(row.trades, stats ? countText.format(stats.trades) : '–');
  drawAge(market);
}

function percentOf({ price, stats }) {
  if (!stats) return undefined;
  if (price === undefined || !(stats.openPrice > 0)) return stats.percent ?? undefined;
  return (Number(price) / stats.openPrice - 1) * 100;
}

function drawAge({ row, at }) {
  const seconds = at === undefined ? undefined : Math.max(0, Math.round((Date.now() - at) / 1000));
  setText(row.age, seconds === undefined ? '–' : ageText(seconds));
  row.age.classList.toggle('stale', seconds > STALE_AFTER_S);
}

const volumeText = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });
const percentText = new Intl.NumberFormat('en', {
  style: 'unit',
  unit: 'percent',
  signDisplay: 'exceptZero',
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});
const countText = new Intl.NumberFormat('en');

function ageText(seconds) {
  if (seconds < 2) return 'now';
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Exact decimal text with its thousands apart; never through a number. */
function grouped(decimal) {
  const [whole, fraction] = decimal.split('.');
  const parts = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? parts : `${parts}.${fraction}`;
}

function flash(cell, up) {
  cell.classList.remove('flash-up', 'flash-down');
  // a frame later, so that the animation starts anew
  requestAnimationFrame(() => cell.classList.add(up ? 'flash-up' : 'flash-down'));
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function rowFor({ symbol, source }) {
  const row = { tr: document.createElement('tr') };
  const name = document.createElement('th');
  name.scope = 'row';
  const tag = document.createElement('span');
  tag.className = source === 'simulator' ? 'source badge' : 'source';
  tag.textContent = source === 'simulator' ? 'simulated' : source;
  if (source === 'simulator') tag.title = 'Generated by the built-in simulator, not real trades';
  name.append(symbol, ' ', tag);
  row.tr.append(name);
  const cells = { price: 'price', change: '', volume: 'wide', trades: 'wide', age: 'last' };
  for (const [cell, extra] of Object.entries(cells)) {
    row[cell] = document.createElement('td');
    row[cell].className = `number ${extra}`.trim();
    row[cell].textContent = '–';
    row.tr.append(row[cell]);
  }
  return row;
}

/** Rows stand in order of source and symbol. */
function place(market) {
  const key = keyOf(market);
  const next = [...markets.entries()].filter(([other]) => other > key).sort(([a], [b]) => (a < b ? -1 : 1))[0];
  body.insertBefore(market.row.tr, next ? next[1].row.tr : null);
}

function showTable() {
  table.hidden = false;
  empty.hidden = true;
}

function showError(text) {
  error.hidden = text === undefined;
  error.textContent = text ?? '';
  if (text !== undefined && markets.size === 0) empty.textContent = 'No markets yet.';
}

function showConnection(state) {
  connection.dataset.state = state;
  setText(connection, state);
}

function showFeeds() {
  feedLine.hidden = feeds.size === 0;
  const told = [...feeds.values()].map(({ source, state, reason }) => `${source}: ${state} (${reason})`);
  setText(feedLine, told.join(' · '));
}

setInterval(() => {
  if (!document.hidden) for (const market of markets.values()) drawAge(market);
}, 1000);
setInterval(refreshAll, REFRESH_EVERY_MS);
document.addEventListener('visibilitychange', refreshAll);

connect();
load();
