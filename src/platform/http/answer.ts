/** As much of the HTTP answer as setting headers needs. */
export type Answer = Readonly<{ header(name: string, value: string): Answer }>;
