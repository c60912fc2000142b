/** What rules and channels can be called. */
export const RULE_ID = /^[a-z0-9][a-z0-9_-]{0,79}$/;
export const CHANNEL_NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;
