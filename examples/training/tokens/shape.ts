/** Token classes of the model: the most frequent tokens, and one for all others. */
export const classes = 512;
/** The class of all other tokens. Never asked for, as nothing can be learned of it. */
export const otherClass: number = classes - 1;
/** Tokens before the one to predict that the model sees, each as one of {@link classes}. */
export const contextTokens = 4;
/** Places of a paragraph that are drawn for training each time it comes up. */
export const picks = 16;
