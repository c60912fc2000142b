import type { Message } from '../../notifications/notice.js';
import { messageTitle, type TextStyle, textOf } from '../../notifications/texts.js';

export const MAIL_MOST_ITEMS = 100;
const MOST_SUBJECT = 200;

export type Mail = Readonly<{ subject: string; text: string; messageId: string; references: string[] }>;

/** Its Message-ID is the message's own, so that a mail sent twice is one; a resolve stands in the thread of its firing. */
export function mailOf(message: Message, style: TextStyle): Mail {
  const [first, ...more] = message.items;
  const texts = message.items.map((item) => textOf(item, style));
  const isAnswer = more.length === 0 && first.kind === 'resolved' && !first.isMerged;
  return {
    subject: messageTitle(message, style)
      .replaceAll(/[\p{Cc}]+/gu, ' ')
      .slice(0, MOST_SUBJECT),
    text: more.length === 0 ? texts[0]!.body : texts.map(({ title, body }) => `${title}\n${body}`).join('\n\n'),
    messageId: idOf(message.id),
    references: isAnswer ? [idOf(first.thread)] : [],
  };
}

const idOf = (id: string): string => `<${id}@tapeline>`;
