/** What `--source` takes: one text for every command that has the option. */

export const SOURCES =
  'where the video comes from: file:, test:, v4l2: or rtsp:, as below ("-": read it from standard input)';

export const SOURCE_HELP = `
Sources:
  v4l2:/dev/video0[?format=F&size=WxH&rate=N]
      a camera at this machine (also /dev/v4l/by-id/NAME, which stays the same). Without options: its own H.264 at up to
      1920x1080, else MJPEG at up to 1280x720, else raw at about 640x480, at up to 30 frames a second. F is ffmpeg's name,
      as h264, mjpeg, yuyv422. What the camera does not have is refused, with what it has.
  rtsp[s]://[USER:PASSWORD@]HOST[:PORT]/PATH
      a camera on the network, over TCP; its host has to be listed with --lan. In user and password write @ as %40, / as
      %2F, ? as %3F, # as %23, a space as %20, and what is not ASCII as its bytes in UTF-8 (ü as %C3%BC). Give it by
      --source - to keep the password out of the command line.
  file:PATH[?loop|?once]
      a film, once or over and over. Any name is taken as it is; one that has a ? takes ?once or ?loop at its end.
  test:[?size=WxH&rate=N]
      a test pattern with a clock, 1280x720 at 25 unless given.
  A size has even sides from 64 to 4096. A rate is 1 to 120 frames a second, as 25, 12.5, 29.97 or 30000/1001.

Examples:
  --source 'v4l2:/dev/video0?format=mjpeg&size=1280x720&rate=15'
  --source 'rtsp://eve:p%40ss@192.168.1.20:554/stream1' --lan 192.168.1.20
  --source 'file:/srv/clip.mp4?loop'
  --source 'test:?size=640x360&rate=29.97'`;
