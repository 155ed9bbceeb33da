"""What the model sees of a flight, all of it known before departure."""

NUMBERS = ["hour", "weekday", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
NAMES = ["carrier", "origin", "dest"]
ORDER = ["hour", "weekday", "carrier", "origin", "dest", *NUMBERS[2:]]
