def test_scenes(registered, running, proposed):
    for team in (registered, running, proposed):
        print(team.ana.does("status").text)
        print(team.ana.git("log", "--oneline", "--all"))
