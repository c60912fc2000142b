import type { Message } from '../../messages/notice.js';
import { messageTitle, type TextStyle, textOf } from '../../messages/texts.js';

export const MAIL_MOST_ITEMS = 100;
const MOST_SUBJECT = 200;

export type Mail = Readonly<{ subject: string; text: string; messageId: string; references: string[] }>;

/** Its Message-ID is the message's own, so that a mail sent twice is one; resolves answer the mails of their firings. */
export function mailOf(message: Message, style: TextStyle): Mail {
  const texts = message.items.map((item) => textOf(item, style));
  const toldIn = message.items.map((item) => item.toldIn);
  return {
    subject: messageTitle(message, style)
      .replaceAll(/[\p{Cc}]+/gu, ' ')
      .slice(0, MOST_SUBJECT),
    text: texts.length === 1 ? texts[0]!.body : texts.map(({ title, body }) => `${title}\n${body}`).join('\n\n'),
    messageId: idOf(message.id),
    references: toldIn.includes(undefined) ? [] : [...new Set(toldIn as string[])].map(idOf),
  };
}

const idOf = (id: string): string => `<${id}@tapeline>`;
