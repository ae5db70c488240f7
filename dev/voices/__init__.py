"""Voices to make talks of, on the spot: recorded prompts and a speech synthesiser out of Debian's packages, which are
downloaded into the user's cache, installed nowhere and shipped with nothing.

speakers   the voices, and what each can say
talks      talks of several voices, whose speakers, words and times are known
"""
