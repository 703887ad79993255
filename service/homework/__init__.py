"""What a write means for therapy homework: states, answers, scores, series, risk. `rules` is the way in."""
