"""Sound and speech as numbers: no file is read here, and no model is asked.

spans           stretches of time
pcm             samples, and how loud they are
chunk_order     which chunks of a recording belong together, and which are missing
alignment       how far two recordings overlap
speech_frames   stretches of speech out of probabilities, and a detector that needs no model
mel             mel spectrograms; voice_encoder: a vector for a voice
speaker_clusters which stretches are one speaker; speaker_turns: who speaks when
heard_words     the words in an answer of a recogniser
attribution     which speaker said which word
clean_stretches where one speaker alone is to be heard
"""
